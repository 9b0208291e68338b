"""The HTTP listener as scripts see it, and what happens to those who take it for another one."""
import unittest
import urllib.request

from world import PATIENCE, World


class Http(World):
    def test_http_answers_health_and_metrics(self):
        node = self.start()
        for page in ("livez", "readyz", "metrics"):
            with urllib.request.urlopen(f"http://{node.at['http']}/{page}", timeout=PATIENCE) as answer:
                self.assertEqual(answer.status, 200)

    def test_a_client_on_the_http_port_is_told(self):
        node = self.start()
        self.fails(1, "(?i)http", "topic", "list", "-b", node.at["http"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
