"""Addresses that look public and lead to this machine, its network, or the keys of its cloud."""

_LOOPBACK = (
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "017700000001", "0177.0.0.1", "0177.0.0.01", "127.0.0.1.", "127.000.000.001", "0", "0.0.0.0", "0x0",
    "1.0x7f",
    "localhost", "LOCALHOST", "LocalHost.", "localhost.localdomain", "shop.localhost", "printer.local",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1%25lo]",
    "[::1%lo]",
    "127。0。0。1", "127．0．0．1", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌocalhost", "loc\u00adalhost",
)  # fmt: skip
_PRIVATE = (
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "2852039166", "0xa9fea9fe",
    "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fd00::1]", "[fe80::1]",
    "[ff02::1]",
    "metadata.google.internal", "192.0.0.192", "100.100.100.200", "168.63.129.16", "224.0.0.1",
    "255.255.255.255",
    "198.18.0.1", "localtest.me", "127.0.0.1.nip.io", "metadata", "",
)  # fmt: skip
_SPELLINGS = (
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/_GET", "ftp://127.0.0.1:{port}/a.png",
    "dict://127.0.0.1:{port}/x", "data:image/png;base64,AAAA", "javascript:alert(1)",
    "//127.0.0.1:{port}/a.png",
    "http:127.0.0.1:{port}/a.png", "http:///127.0.0.1:{port}/a.png", "http:/\\127.0.0.1:{port}/a.png",
    "http://8.8.8.8@127.0.0.1:{port}/a.png", "http://127.0.0.1:{port}@8.8.8.8/a.png",
    "http://pictures.invalid#@127.0.0.1:{port}/", "http://8.8.8.8\\@127.0.0.1:{port}/",
    "http://user:word@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\.8.8.8.8/", "http://127.0.0.1%2f.8.8.8.8:{port}/",
    "http://127.0.0.1%00.shop.com:{port}/",
    "http://127.0.0.1\t:{port}/", "http://127.0.0.1\n:{port}/", " http://127.0.0.1:{port}/",
    "hTTp://127.0.0.1:{port}/",
    "http://[127.0.0.1]:{port}/", "http://[::1]8.8.8.8:{port}/", "http://[::1]:{port}:80/",
    "http://[::1:{port}/",
    "http://127.0.0.1:{port}:80/", "http://127..1:{port}/", "http://.127.0.0.1:{port}/",
    "http://127.0.0.1:0{port}/",
    "http://[::ffff:127.0.0.1]:{port}#.shop.com/", "https://127.0.0.1:{port}/",
    "jar:http://127.0.0.1:{port}!/",
    "http://127.0.0.1 .shop.com:{port}/", "http://localhost\u3002shop\u3002com:{port}/",
    "http://\u2488\u2488:{port}/",
)  # fmt: skip


def forms(port):
    """Return the addresses, with a port where something of this machine listens."""
    hosts = [f"http://{host}:{port}/a.png" for host in (*_LOOPBACK, *_PRIVATE)]
    return hosts + [spelling.format(port=port) for spelling in _SPELLINGS]


FORMS = forms(80)
