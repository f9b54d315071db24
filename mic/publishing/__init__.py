"""Results for readers: tables, figures, films, notebooks; comparison with what is committed."""
