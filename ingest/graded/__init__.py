"""Files whose right reading is known, and plain readings of others: `evaluate ingest` measures with them."""
