"""Documents, versions, sections: stored, published, imported, compared."""
