"""Starts and ends the browser."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import BrowserContext, Error, async_playwright

from isthmus.connectors.browser.proxy import Proxy
from isthmus.domain.errors import ToolError

_log = logging.getLogger(__name__)

_QUIET = (
    # Nothing is asked, told or fetched by Chromium itself, …
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--no-pings",
    "--no-first-run",
    "--no-default-browser-check",
    "--metrics-recording-only",
    "--safebrowsing-disable-auto-update",
    # … and all of it goes through the proxy: nothing over UDP, no names looked up.
    "--disable-quic",
    "--disable-http2",  # a connection is for one host
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--deny-permission-prompts",
    "--password-store=basic",
    "--use-mock-keychain",
    "--mute-audio",
    "--disable-gpu",
    "--disable-features=AutofillServerCommunication,OptimizationHints,MediaRouter,Translate,DialMediaRouteProvider,"
    "PrefetchPrivacyChanges,SpeculationRulesPrefetchProxy,InterestFeedContentSuggestions,CertificateTransparencyComponentUpdater,"
    "AcceptCHFrame,PrivateAggregationApi,FencedFrames,WebOTP,DnsOverHttps,AsyncDns,HttpsUpgrades,ReportingObserver",
)


def is_root() -> bool:
    return os.geteuid() == 0


@contextlib.asynccontextmanager
async def running(programme: str, profile: Path, proxy: Proxy, *, seconds: float) -> AsyncIterator[BrowserContext]:
    """A browser with a profile of its own, whose only way out is a proxy.

    Raises:
        ToolError: it cannot be started.
    """
    own_folder(profile)
    if is_root():
        _log.warning("Chromium runs without its sandbox, because isthmus runs as root")
    try:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile / "chromium",
                executable_path=programme,
                headless=True,
                chromium_sandbox=not is_root(),
                args=list(_QUIET),
                # None of the secrets that isthmus may have been given in its environment.
                env={"PATH": "/usr/bin:/bin", "HOME": str(profile), "LANG": "C.UTF-8"},
                proxy={
                    "server": f"http://127.0.0.1:{proxy.port}",
                    "bypass": "<-loopback>",
                    "username": proxy.user,
                    "password": proxy.password,
                },
                service_workers="block",
                accept_downloads=True,
                permissions=[],
                ignore_https_errors=False,
                viewport={"width": 1280, "height": 800},
                timeout=max(seconds, 15.0) * 1000,
            )
            try:
                yield context
            finally:
                with contextlib.suppress(Error):  # it may have died by itself
                    await context.close()
    except Error as error:
        if "executable" in str(error) or "ENOENT" in str(error):
            raise ToolError(
                f"There is no Chromium at {programme}.", hint="Install it, or name it as `chromium` in the account."
            ) from error
        if "SingletonLock" in str(error) or "already in use" in str(error):
            raise ToolError("Another browser uses this profile.", hint="Close it, or name another profile.") from error
        raise ToolError("Chromium cannot be started.", hint=_first_line(error)) from error


def own_folder(folder: Path) -> None:
    """Make a folder that nobody but the user can look into.

    Raises:
        ToolError: it is somebody else's, or cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise ToolError(f"{folder} is not the user's own folder, so no profile is kept there.")
        if stat.S_IMODE(status.st_mode) != stat.S_IRWXU:
            folder.chmod(stat.S_IRWXU)
    except OSError as error:
        raise ToolError(f"The folder of the profile cannot be made ({error.strerror}).") from error


def _first_line(error: Error) -> str:
    return error.message.partition("\n")[0][:200]
