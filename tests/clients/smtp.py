"""A mail server that takes mail only over TLS, with a certificate of an authority that it makes for itself.

    smtp.py FOLDER [implicit] [login] [refuse=ADDRESS]

TLS by STARTTLS, or from the first byte with "implicit". With "login" it asks for the name ana and the password secret;
it has no mailbox for ADDRESS. Writes FOLDER/ca.pem, prints {"port": …} when it listens, then one JSON line for each mail, whose bytes it keeps as
FOLDER/<n>.eml. Ends when its standard input ends.
"""

import asyncio
import datetime
import ipaddress
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

folder, options = pathlib.Path(sys.argv[1]), sys.argv[2:]
refused = [option.removeprefix("refuse=") for option in options if option.startswith("refuse=")]
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

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in refused:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 kept for"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        (folder / f"{self.count}.eml").write_bytes(envelope.content)
        say(
            mail=self.count,
            tls=server.transport.get_extra_info("ssl_object") is not None,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
        )
        return "250 2.0.0 kept"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"ana" and data.password == b"secret", handled=False)


async def main():
    tls, mailbox = context(), Mailbox()
    loop = asyncio.get_running_loop()
    asks = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False} if "login" in options else {}
    implicit = "implicit" in options
    starttls = {} if implicit else {"tls_context": tls, "require_starttls": True}
    listening = await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", loop=loop, **starttls, **asks),
        "127.0.0.1",
        0,
        ssl=tls if implicit else None,
    )
    say(port=listening.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)
    listening.close()


asyncio.run(main())
