"""The exchange server: SFTP on loopback, without root, each login inside the provider's folder."""

from __future__ import annotations

import asyncio
import hmac
import os
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncssh

from .errors import SandboxError
from .folders import rename_without_overwriting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from .clients import Clients
    from .faults import FaultInjector, InjectedFault

LOOPBACK = "127.0.0.1"
T = TypeVar("T")
_WRITING = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND


class SftpServer:
    """An SFTP server in a thread with an event loop of its own.

    `port` is 0 for a free one; after `start` it is the one that was found.
    """

    def __init__(self, clients: Clients, host_key: Path, faults: FaultInjector, port: int) -> None:
        self.clients = clients
        self.host_key = host_key
        self.faults = faults
        self.port = port
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.being_written: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._acceptor: asyncssh.SSHAcceptor | None = None

    def start(self) -> None:
        """Raises `SandboxError` if the port is taken."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox sftp")
        self._thread.start()
        try:
            self._acceptor = self._wait_for(self._loop, self._listen())
        except OSError as reason:
            self.stop()
            raise port_taken("SFTP", self.port, reason) from None
        self.port = self._acceptor.get_port()

    def stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self._wait_for(self._loop, self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = self._acceptor = None

    def is_being_written(self, path: Path) -> bool:
        return self.being_written[str(path)] > 0

    @staticmethod
    def _wait_for(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            LOOPBACK,
            self.port,
            server_factory=lambda: _Login(self),
            sftp_factory=lambda channel: _Session(self, channel),
            server_host_keys=[str(self.host_key)],
            allow_scp=False,
        )

    async def _close(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        for connection in list(self.connections):
            connection.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def port_taken(
    what: str,
    port: int,
    reason: OSError,
    other: str = "remove the port from sandbox.json and write ajpes.toml anew",
) -> SandboxError:
    """`other` is how another port is chosen."""
    why = os.strerror(reason.errno) if reason.errno else str(reason)
    return SandboxError(
        f"The sandbox cannot listen for {what} on {LOOPBACK}:{port}: {why}.",
        f"stop what uses that port, or {other}",
    )


class _Login(asyncssh.SSHServer):
    """Lets in a provider by its user name, with its own key or password."""

    def __init__(self, server: SftpServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server.connections.add(conn)
        if self._server.faults.take("sftp", "refuse"):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._server.connections.discard(self._connection)

    async def begin_auth(self, username: str) -> bool:
        if self._server.faults.take("sftp", "silent_login"):
            await asyncio.Event().wait()
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        client = self._server.clients.by_username(username)
        return client is not None and key == asyncssh.import_public_key(client.keys.sftp_public_key)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        client = self._server.clients.by_username(username)
        right = client.keys.sftp_password.read_bytes().strip() if client is not None else b""
        return hmac.compare_digest(password.encode(), right) and client is not None


class _Session(asyncssh.SFTPServer):
    """The files of one login; remembers what is being written, and plays the faults of an upload."""

    def __init__(self, server: SftpServer, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        client = server.clients.by_username(str(channel.get_extra_info("username")))
        if client is None:
            raise asyncssh.SFTPPermissionDenied("nobody of this name reports here")
        super().__init__(channel, chroot=str(client.folders.root).encode())
        self._server = server
        self._folders = client.folders
        self._tells_no_sizes = server.faults.take("sftp", "bare_stat") is not None
        self._lists_names_alone = server.faults.take("sftp", "bare_listing") is not None
        self._cuts: dict[object, int] = {}
        self._written: dict[object, str] = {}

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        if not pflags & _WRITING:
            return super().open(path, pflags, attrs)
        fault = self._server.faults.take("sftp", "silent", "cut")
        if fault is not None and fault.kind == "silent":
            await asyncio.Event().wait()
        local = self.map_path(path).decode()
        # Noted first: the processor must not see the name before he can know that it is open.
        self._server.being_written[local] += 1
        return self._note_opened(local, path, pflags, attrs, fault)

    def _note_opened(
        self, local: str, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs, fault: InjectedFault | None
    ) -> object:
        try:
            file = super().open(path, pflags, attrs)
        except OSError:
            self._server.being_written[local] -= 1
            raise
        self._written[file] = local
        if fault is not None:
            self._cuts[file] = fault.bytes
        return file

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        allowed = self._cuts.get(file_obj)
        if allowed is None or offset + len(data) <= allowed:
            return self._write(file_obj, offset, data)
        if offset < allowed:
            self._write(file_obj, offset, data[: allowed - offset])
        self.connection.abort()
        raise asyncssh.SFTPConnectionLost("the connection was cut")

    def stat(self, path: bytes) -> os.stat_result | asyncssh.SFTPAttrs:
        return self._looked_at(path, super().stat)

    def lstat(self, path: bytes) -> os.stat_result | asyncssh.SFTPAttrs:
        return self._looked_at(path, super().lstat)

    def fstat(self, file_obj: object) -> os.stat_result | asyncssh.SFTPAttrs:
        return self._told(super().fstat(file_obj))

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        if self._is_for_reports(self._local(path)):
            self._need_right("no_list")
        async for name in super().scandir(path):
            if self._lists_names_alone:
                name.attrs = asyncssh.SFTPAttrs()
            yield name

    def close(self, file_obj: object) -> None:
        super().close(file_obj)
        self._cuts.pop(file_obj, None)
        local = self._written.pop(file_obj, None)
        if local is not None:
            self._sweep(Path(local), "sweep")
            self._server.being_written[local] -= 1

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        if self._server.faults.take("sftp", "lying_rename"):
            return
        self._need_right("no_rename")
        new = os.fsdecode(self.map_path(newpath))
        # As long as it may be swept away, the processor must not take it the usual way.
        self._server.being_written[new] += 1
        try:
            rename_without_overwriting(self.map_path(oldpath), os.fsencode(new))
            self._sweep(Path(new), "sweep_renamed")
        except FileExistsError:
            raise asyncssh.SFTPFailure("the new name is taken") from None
        finally:
            self._server.being_written[new] -= 1

    def remove(self, path: bytes) -> None:
        self._need_right("no_remove")
        super().remove(path)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._need_right("no_rename")
        super().posix_rename(oldpath, newpath)

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("no links here")

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("no links here")

    def _sweep(self, path: Path, kind: str) -> None:
        if (fault := self._server.faults.take("sftp", kind)) is not None:
            self._folders.sweep(path, shown=fault.shown)

    def _looked_at(self, path: bytes, look: Callable[[bytes], Any]) -> os.stat_result | asyncssh.SFTPAttrs:
        if self._is_for_reports(self._local(path).parent):
            self._need_right("no_stat")
        try:
            return self._told(look(path))
        except FileNotFoundError:
            if self._server.faults.take("sftp", "vague_status"):
                raise asyncssh.SFTPFailure("failure") from None
            raise

    def _need_right(self, without: str) -> None:
        """Refuses what an account without this right may not do."""
        if self._server.faults.take("sftp", without):
            raise asyncssh.SFTPPermissionDenied("permission denied")

    def _local(self, path: bytes) -> Path:
        return Path(os.fsdecode(self.map_path(path)))

    def _is_for_reports(self, folder: Path) -> bool:
        return folder.name == "v_ajpes"

    def _told(self, found: object) -> os.stat_result | asyncssh.SFTPAttrs:
        if not isinstance(found, os.stat_result):
            raise TypeError("asyncssh looks at local files without waiting")
        if not self._tells_no_sizes:
            return found
        told = asyncssh.SFTPAttrs.from_local(found)
        told.size = None
        return told

    def _write(self, file_obj: object, offset: int, data: bytes) -> int:
        written = super().write(file_obj, offset, data)
        if not isinstance(written, int):
            raise TypeError("asyncssh writes local files without waiting")
        return written
