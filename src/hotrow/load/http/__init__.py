"""Load over HTTP/1.1: kept connections, and queries in the forms that model servers take."""

from hotrow.load.http.sender import HttpQueries, HttpSender
from hotrow.load.http.server import ServedModel, describe
from hotrow.load.http.url import Url, parse_url

__all__ = ["HttpQueries", "HttpSender", "ServedModel", "Url", "describe", "parse_url"]
