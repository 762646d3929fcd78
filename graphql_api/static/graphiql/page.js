"use strict";

const EXAMPLE = `# Experiments with their samples, why each sample is in its state, and what can be downloaded.
# Run it with Ctrl-Enter; the book icon on the left opens the documentation of every field.
{
  experiments(first: 5) {
    totalCount
    nodes {
      accession
      title
      technology
      organisms { scientificName }
      numSamples
      sampleStates { state count }
      samples(first: 10) {
        nodes {
          accession
          state
          message
          harmonized { field value }
          computedFiles { filename kind sizeBytes downloadUrl }
        }
      }
    }
  }
}
`;

async function fetcher(request) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(request),
  });
  return response.json();
}

const shared = new URLSearchParams(window.location.search);
const name = React.createElement("a", { href: "/", className: "page-name" }, "refinebio");
const explorer = React.createElement(
  GraphiQL,
  {
    fetcher,
    defaultQuery: EXAMPLE,
    query: shared.get("query") ?? undefined,
    variables: shared.get("variables") ?? undefined,
    shouldPersistHeaders: false,
    isHeadersEditorEnabled: false,
    defaultEditorToolsVisibility: false,
  },
  React.createElement(GraphiQL.Logo, null, name),
);
ReactDOM.createRoot(document.getElementById("graphiql")).render(explorer);

// A shared address may ask for the answer at once: /graphql?run=1&query=…
if (shared.has("run")) {
  const wait = setInterval(() => {
    const button = document.querySelector(".graphiql-execute-button");
    if (button !== null && !button.disabled) {
      clearInterval(wait);
      button.click();
    }
  }, 200);
}
