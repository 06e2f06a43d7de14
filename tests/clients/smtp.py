"""A mail server that takes mail only over STARTTLS, with a certificate of an authority that it makes for itself.

    smtp.py FOLDER

Writes FOLDER/ca.pem, prints {"port": …} when it listens, then one JSON line for each mail, whose bytes it keeps as
FOLDER/<n>.eml. Ends when its standard input ends.
"""

import asyncio
import datetime
import ipaddress
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def say(**what):
    print(json.dumps(what), flush=True)


def certificate(name, key, issuer, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(path, *parts):
    path.write_bytes(b"".join(parts))
    return path


def usage(**allowed):
    names = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
    flags = dict.fromkeys(names.split(), False) | allowed
    return x509.KeyUsage(**flags, encipher_only=False, decipher_only=False)


def context():
    encoding = serialization.Encoding.PEM
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = certificate(
        "Test authority",
        authority_key,
        None,
        authority_key,
        [(x509.BasicConstraints(ca=True, path_length=0), True), (usage(key_cert_sign=True, crl_sign=True), True)],
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = certificate(
        "localhost",
        key,
        authority.subject,
        authority_key,
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName(names), False),
        ],
    )
    pem(folder / "ca.pem", authority.public_bytes(encoding))
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = pem(folder / "server.pem", private, server.public_bytes(encoding))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(chain)
    return made


class Mailbox:
    def __init__(self):
        self.count = 0

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        (folder / f"{self.count}.eml").write_bytes(envelope.content)
        say(
            mail=self.count,
            tls=session.ssl is not None,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
        )
        return "250 2.0.0 kept"


async def main():
    tls, mailbox = context(), Mailbox()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", tls_context=tls, require_starttls=True, loop=loop), "127.0.0.1", 0
    )
    say(port=listening.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)
    listening.close()


asyncio.run(main())
