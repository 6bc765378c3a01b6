"""The last minutes of the server, second by second, and the page that shows them."""
