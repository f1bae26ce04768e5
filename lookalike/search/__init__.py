"""What a search asks and answers: how examples are combined, filters, neighbours."""
