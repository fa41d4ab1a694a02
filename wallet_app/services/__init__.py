"""The business logic. Nothing here knows Flask or marshmallow."""
