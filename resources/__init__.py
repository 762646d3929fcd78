"""What assets and the API talk to: settings, catalog, archives, object store, tools. No science here."""
