"""What answers say: JSON, CSV, pages, problem documents."""
