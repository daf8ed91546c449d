"""Serves the folder at argv[1] on a free port, which it prints; /silent.ics never answers."""

import functools
import http.server
import sys
import time


class Feeds(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/silent.ics":
            time.sleep(600)
        super().do_GET()

    def log_message(self, *_):
        pass


handler = functools.partial(Feeds, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_port, flush=True)
server.serve_forever()
