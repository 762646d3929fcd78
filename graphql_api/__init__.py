"""The GraphQL API: a Strawberry schema by domain folder in a Starlette application.

``app.create_app`` builds the application, ``schema.build_schema`` the schema; ``refinebio serve`` runs it.
"""
