"""Finding the extensions that are installed, by their entry points, and letting them register."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from domain.flows.running import Perform
from domain.hooks.registry import Hooks
from domain.settings import Settings
from services.extensions.context import Context, Door
from services.extensions.registering import (
    ExtensionError,
    Function,
    Registrar,
    Route,
    Router,
    log_of,
    operation,
)

HOOKS: Final = "acta.hooks"
ENDPOINTS: Final = "acta.endpoints"
OPERATIONS: Final = "acta.operations"
_KINDS: Final = {HOOKS: "hook", ENDPOINTS: "endpoint", OPERATIONS: "operation"}

log = logging.getLogger("acta.extensions")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One extension that is in use."""

    name: str
    kind: str
    package: str
    version: str
    value: str


@dataclass(slots=True)
class Extensions:
    """All that the installed extensions bring, and the door to the services they work with."""

    door: Door = field(default_factory=Door)
    hooks: Hooks = field(default_factory=Hooks)
    inits: list[tuple[str, Function, Context]] = field(default_factory=list)
    endpoints: dict[str, tuple[list[Route], Context]] = field(default_factory=dict)
    operations: dict[str, Perform] = field(default_factory=dict)
    loaded: list[Loaded] = field(default_factory=list)

    def begin(self, moment: str, meta: Mapping[str, Any]) -> None:
        """Call what wants to be called at a moment of the start; its errors are logged."""
        for event, function, context in self.inits:
            if event != moment:
                continue
            try:
                function(dict(meta), context)
            except (Exception, SystemExit):
                context.log.exception("the extension failed at %s", moment)


def load(settings: Settings, found: Iterable[EntryPoint] | None = None) -> Extensions:
    """The extensions that are installed. One that can't be loaded is logged and left out.

    Raises:
        ExtensionError: instead, with ``EXTENSIONS_MUST_LOAD``.
    """
    extensions = Extensions()
    points = [point for group in _KINDS for point in entry_points(group=group)] if found is None else found
    for point in sorted(points, key=lambda point: (list(_KINDS).index(point.group), point.name)):
        try:
            _add(extensions, settings, point)
        # Code that is not ours may raise anything while it is imported.
        except (Exception, SystemExit) as error:
            said = f"extension {point.name} ({point.value}) can't be loaded: {type(error).__name__}: {error}"
            if settings.extensions.must_load:
                raise ExtensionError(said) from error
            log.error("%s", said, exc_info=None if isinstance(error, ExtensionError) else error)
    return extensions


def _add(extensions: Extensions, settings: Settings, point: EntryPoint) -> None:
    function: Callable[..., Any] = point.load()
    if not callable(function):
        raise ExtensionError("it is no function")
    context = Context(settings, log_of(point.name), extensions.door)
    if point.group == HOOKS:
        own = Hooks()
        registrar = Registrar(point.name, context, settings.extensions.hook_timeout / 1000, own)
        function(registrar, context)
        # Only now, so that one that fails half-way leaves nothing behind.
        extensions.hooks.take(own)
        extensions.inits += [(event, init, context) for event, init in registrar.inits]
    elif point.group == ENDPOINTS:
        router = Router()
        function(router, context)
        extensions.endpoints[point.name] = (router.routes, context)
    else:
        extensions.operations[point.name] = operation(point.name, context, function)
    package = point.dist
    extensions.loaded.append(
        Loaded(
            point.name,
            _KINDS[point.group],
            "" if package is None else package.name,
            "" if package is None else package.version,
            point.value,
        )
    )
