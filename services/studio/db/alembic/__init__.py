"""The migrations of database `studio`, carried inside the package so that every image has its own."""
