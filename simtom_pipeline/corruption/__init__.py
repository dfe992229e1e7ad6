"""How the feed is corrupted: true tables in; landed tables, and the ledgers that undo them, out."""
