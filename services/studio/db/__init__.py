"""The PostgreSQL database of the services: connections, schema, migrations."""
