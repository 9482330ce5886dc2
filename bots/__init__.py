"""Chat front ends. They sit above the domain and know nothing of the web, the API or the clock."""
