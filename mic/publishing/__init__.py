"""Results for readers: tables, figures, the notebook runner, comparison with what is committed."""
