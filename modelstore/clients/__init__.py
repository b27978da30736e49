"""What other people's tools load: SQLAlchemy's dialect, Jupyter's magics, and what shows results in notebooks."""
