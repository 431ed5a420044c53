"""An SFTP server by asyncssh on loopback that can be told to misbehave; logs in by password, or as told."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncssh
import pytest

from ajpes_reporting.deliver.sftp.session import SftpServer
from tests.servers.sshd import FOLDERS

USERNAME, PASSWORD = "banka", "Geslo-sftp-91"


Question = tuple[str, list[tuple[str, bool]]]
"""Instructions, and prompts with whether the reply is shown, of keyboard-interactive."""


@dataclass
class Door:
    """How the server lets somebody in.

    `asks` are the methods of each step, of which one must succeed before the next step comes. `questions` are
    asked one after the other; a reply must be the password. `key` is the client's public key, `banner` is
    told before the login. `on_password` is called with each password, and may raise or wait.
    `shown` notes what was shown, in order, `drop_at` ends the connection when that is shown. Where not
    `has_sftp` the login is taken, and no SFTP session opened.
    """

    asks: tuple[tuple[str, ...], ...] = (("password", "keyboard-interactive"),)
    questions: list[Question] = field(default_factory=lambda: [("", [("Password: ", False)])])
    key: asyncssh.SSHKey | None = None
    banner: str = ""
    on_password: Callable[[str], object] | None = None
    drop_at: str = ""
    has_sftp: bool = True
    shown: list[str] = field(default_factory=list)


@dataclass
class Orders:
    """What the server does wrong.

    `on_rename` is called with (perform, drop): performing the rename, dropping the connection.
    `listed` are further names that it lists in every folder.
    `on_read` is called with the path of each file that is opened.
    `largest_read` is how much it gives at once.
    `written` notes how much came with each write.
    `on_write` is called before each write, with (offset, size); it may raise, and nothing is written then.
    `swallows` says yes to each write, and writes nothing.
    `on_create` is called with the path of a file that is opened for writing, and the flags; it may raise.
    `on_close` is called with each file that was written, when it is closed.
    `on_remove` is called with (perform) in the place of removing a file.
    `on_stat` gives the attributes that STAT tells of a path, from those there are, or none if there is no
    file; it may raise. `on_list` does so for each entry of a listing.
    `endless` lists new names, without an end.
    """

    on_rename: Callable[[Callable[[], None], Callable[[], None]], None] | None = None
    listed: list[bytes] = field(default_factory=list)
    on_read: Callable[[bytes], None] | None = None
    largest_read: int | None = None
    written: list[int] = field(default_factory=list)
    on_write: Callable[[int, int], None] | None = None
    swallows: bool = False
    on_create: Callable[[bytes, int], None] | None = None
    on_close: Callable[[Path], None] | None = None
    on_remove: Callable[[Callable[[], None]], None] | None = None
    on_stat: Callable[[bytes, asyncssh.SFTPAttrs | None], asyncssh.SFTPAttrs] | None = None
    on_list: Callable[[asyncssh.SFTPName], asyncssh.SFTPName] | None = None
    endless: bool = False
    logins: int = 0
    door: Door = field(default_factory=Door)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)


class OddSftp:
    """A running server with the folders of section 4.2 below `root`."""

    def __init__(self, root: Path, *, key: asyncssh.SSHKey | None = None, **options: object) -> None:
        self.root = root
        self.orders = Orders()
        self.key = key or asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = self.key.export_public_key().decode().strip()
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        for name in FOLDERS:
            (root / name).mkdir(parents=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._acceptor = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._acceptor.get_port()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def settings(self, *, connect_timeout_seconds: float) -> SftpServer:
        """Returns the settings of a client that signs in with its password and pins the host key."""
        return SftpServer(
            host="127.0.0.1",
            port=self.port,
            username=USERNAME,
            password=PASSWORD,
            host_key=self.host_key,
            connect_timeout_seconds=connect_timeout_seconds,
            operation_timeout_seconds=30,
            call_timeout_seconds=60,
            largest_answer_bytes=1 << 30,
            reports=("nodurs", "spapp"),
        )

    def drop(self) -> None:
        """Ends every connection."""
        for connection in self.orders.connections:
            self._loop.call_soon_threadsafe(connection.abort)

    def say_goodbye(self, reason: str) -> None:
        """Tells the newest connection that it is over, and why; the client is the one to hang up."""
        self._loop.call_soon_threadsafe(say_goodbye, self.orders.connections[-1], reason)

    async def _listen(self) -> asyncssh.SSHAcceptor:
        orders = self.orders
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self.key],
            server_factory=lambda: _Login(orders),
            sftp_factory=self._open_sftp,
            **self._options,
        )

    def _open_sftp(self, channel: asyncssh.SSHServerChannel[bytes]) -> _Sftp:
        if not self.orders.door.has_sftp:
            channel.exit(1)
        return _Sftp(channel, self.root, self.orders)

    async def _close(self) -> None:
        self._acceptor.close()
        for connection in self.orders.connections:
            connection.abort()
            await connection.wait_closed()
        await asyncio.sleep(0.01)  # asyncio closes sockets in its next round


def say_goodbye(connection: asyncssh.SSHServerConnection, reason: str) -> None:
    """asyncssh's own way hangs up at once, and the client may not come to hear why."""
    packet = asyncssh.packet
    connection.send_packet(
        asyncssh.constants.MSG_DISCONNECT,
        packet.UInt32(asyncssh.DISC_BY_APPLICATION),
        packet.String(reason),
        packet.String(""),
    )


class _Login(asyncssh.SSHServer):
    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._door = orders.door
        self._step = 0
        self._questions = list(self._door.questions)

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._orders.connections.append(conn)
        self._connection = conn
        self._let_in = conn.send_userauth_success
        conn.send_userauth_success = self._one_step_further

    def begin_auth(self, username: str) -> bool:
        if self._door.banner:
            self._connection.send_auth_banner(self._door.banner)
        return True

    def public_key_auth_supported(self) -> bool:
        return self._is_asked("publickey")

    def password_auth_supported(self) -> bool:
        return self._is_asked("password")

    def kbdint_auth_supported(self) -> bool:
        return self._is_asked("keyboard-interactive")

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._note("publickey")
        return username == USERNAME and key == self._door.key

    async def validate_password(self, username: str, password: str) -> bool:
        self._note("password")
        self._orders.logins += 1
        if self._door.on_password is not None:
            result = self._door.on_password(password)
            if asyncio.iscoroutine(result):
                await result
        return (username, password) == (USERNAME, PASSWORD)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> object:
        self._note("keyboard-interactive")
        return self._ask()

    def validate_kbdint_response(self, username: str, responses: list[str]) -> object:
        if responses and (username, responses) != (USERNAME, [PASSWORD]):
            return False
        return self._ask() if self._questions else True

    def _is_asked(self, method: str) -> bool:
        return method in self._door.asks[self._step]

    def _ask(self) -> object:
        instructions, prompts = self._questions.pop(0)
        return "", instructions, "", prompts

    def _note(self, what: str) -> None:
        self._door.shown.append(what)
        if what == self._door.drop_at:
            self._connection.abort()

    async def _one_step_further(self) -> None:
        self._step += 1
        if self._step < len(self._door.asks):
            self._connection.send_userauth_failure(True)
        else:
            await self._let_in()


class _Sftp(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], root: Path, orders: Orders) -> None:
        super().__init__(channel, chroot=str(root).encode())
        self._orders = orders

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        def perform() -> None:
            asyncssh.SFTPServer.rename(self, oldpath, newpath)

        if self._orders.on_rename is None:
            perform()
        else:
            self._orders.on_rename(perform, self.channel.get_connection().abort)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for name in self._orders.listed:
            yield asyncssh.SFTPName(
                name, attrs=asyncssh.SFTPAttrs(size=5, permissions=0o100644, atime=1, mtime=1)
            )
        for number in itertools.count() if self._orders.endless else ():
            yield asyncssh.SFTPName(f"{number}.xml".encode(), attrs=asyncssh.SFTPAttrs(
                size=5, permissions=0o100644, atime=1, mtime=number
            ))  # fmt: skip
        async for entry in super().scandir(path):
            yield self._orders.on_list(entry) if self._orders.on_list else entry

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        if self._orders.on_stat is None:
            return super().stat(path)
        try:
            found = asyncssh.SFTPAttrs.from_local(super().stat(path))
        except FileNotFoundError:
            found = None
        told = self._orders.on_stat(path, found)
        if told is None:
            raise FileNotFoundError(path)
        return told

    def remove(self, path: bytes) -> None:
        def perform() -> None:
            asyncssh.SFTPServer.remove(self, path)

        if self._orders.on_remove is None:
            perform()
        else:
            self._orders.on_remove(perform)

    def close(self, file_obj: object) -> None:
        name, was_written = Path(os.fsdecode(file_obj.name)), file_obj.writable()
        super().close(file_obj)
        if was_written and self._orders.on_close:
            self._orders.on_close(name)

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        if self._orders.on_read and not pflags & asyncssh.FXF_WRITE:
            self._orders.on_read(path)
        if self._orders.on_create and pflags & asyncssh.FXF_WRITE:
            self._orders.on_create(path, pflags)
        return super().open(path, pflags, attrs)

    def read(self, file_obj: object, offset: int, size: int) -> object:
        return super().read(file_obj, offset, min(size, self._orders.largest_read or size))

    def write(self, file_obj: object, offset: int, data: bytes) -> object:
        self._orders.written.append(len(data))
        if self._orders.on_write:
            self._orders.on_write(offset, len(data))
        if self._orders.swallows:
            return len(data)
        return super().write(file_obj, offset, data)


async def in_disorder(
    handler: asyncssh.sftp.SFTPServerHandler, kind: int, number: int, packet: asyncssh.packet.SSHPacket
) -> None:
    """Stands in for asyncssh's handling of one request, so that later reads overtake earlier ones."""

    async def handle() -> None:
        if kind == asyncssh.sftp.FXP_READ:
            await asyncio.sleep(random.random() / 50)
        await _in_order(handler, kind, number, packet)

    _under_way.add(task := asyncio.ensure_future(handle()))
    task.add_done_callback(_under_way.discard)


Rewrite = Callable[[int, int, bytes], tuple[int, bytes]]


def rewrite_replies(monkeypatch: pytest.MonkeyPatch, rewrite: Rewrite) -> None:
    """Lets `rewrite` have the last word in what is sent, below all that asyncssh knows of SFTP.

    It is given the kind of the request, that of the reply, and the reply behind its number; it returns the
    last two.
    """
    handler = asyncssh.sftp.SFTPServerHandler
    process, send = handler._process_packet, handler.send_packet
    asked: dict[int, int] = {}

    async def note(
        self: asyncssh.sftp.SFTPServerHandler, kind: int, number: int, packet: asyncssh.packet.SSHPacket
    ) -> None:
        asked[number] = kind
        await process(self, kind, number, packet)

    def send_rewritten(
        self: asyncssh.sftp.SFTPServerHandler, kind: int, number: int | None, *parts: bytes
    ) -> None:
        if number is None:
            send(self, kind, number, *parts)
        else:
            kind, reply = rewrite(asked[number], kind, b"".join(parts[1:]))
            send(self, kind, number, parts[0], reply)

    monkeypatch.setattr(handler, "_process_packet", note)
    monkeypatch.setattr(handler, "send_packet", send_rewritten)


_in_order = asyncssh.sftp.SFTPServerHandler._process_packet
_under_way: set[asyncio.Future[None]] = set()
