"""Where events rest: one DuckDB file with one writer, and immutable Parquet pieces for whoever asks."""
