"""robots.txt as RFC 9309 reads it: groups by agent, the longest rule wins, Allow before Disallow, * and $."""

from __future__ import annotations

import re
from functools import cache

SHARED = (
    ("Disallow", "/private/"),
    ("Allow", "/private/open/"),
    ("Disallow", "/*-secret.html$"),
    ("Disallow", "/*?*sort="),
    ("Disallow", "/cart"),
)


def groups(settings):
    """Rules by agent; the group of an agent stands in the place of that for all."""
    agent = settings.agent.lower()
    return {
        "*": (*SHARED, ("Disallow", "/only-for-" + agent)),
        agent: (*SHARED, ("Disallow", "/not-for-" + agent)),
        "greedybot": (("Disallow", "/"),),
    }


def text(settings, address):
    """The file."""
    lines = ["# comment", "Sitemap: " + address + "/sitemap.xml", ""]
    for agent, rules in groups(settings).items():
        lines += [f"User-agent: {agent}", *(f"{kind}: {path}" for kind, path in rules)]
        if agent == settings.agent.lower() and settings.crawl_delay:
            lines.append(f"Crawl-delay: {settings.crawl_delay:g}")
        lines.append("")
    if settings.robots == "long":  # what is beyond 500 KiB need not be read, and must not hurt
        lines += ["User-agent: longbot"] + [f"Disallow: /long/{number:08d}" for number in range(25_000)]
    return "\n".join(lines) + "\n"


@cache
def _pattern(rule):
    parts = [re.escape(part) for part in rule.removesuffix("$").split("*")]
    return re.compile(".*".join(parts) + ("$" if rule.endswith("$") else ""))


def allowed(settings, agent, target):
    """Whether an agent (a product token or a whole user agent header) may ask for a path with its query."""
    if target.split("?")[0] == "/robots.txt":
        return True
    found = groups(settings)
    named = next((name for name in found if name != "*" and name in agent.lower()), "*")
    best = max(
        ((len(path), kind == "Allow") for kind, path in found[named] if _pattern(path).match(target)),
        default=(0, True),
    )
    return best[1]
