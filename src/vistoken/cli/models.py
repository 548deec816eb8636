"""`vistoken models`."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

import click

from vistoken.cli.shared import echo_json, note, parse_settings, print_table
from vistoken.errors import UsageError


@click.command(
    "models",
    short_help="What is built in, or what a name or folder means.",
    epilog="""\b
Examples:
  vistoken models
  vistoken models clip-l14-336
  vistoken models ./my-checkpoint
  vistoken models --json""",
)
@click.argument("name", required=False, metavar="[NAME|FOLDER]")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of a hub repository.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a value of the model's preprocessor.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
def command(name: str | None, revision: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """List the built-in models; or show what a name or a folder means, with the source of every value."""
    if name is None:
        if settings or revision:
            raise UsageError("--set and --revision need a NAME or FOLDER to show")
        _list(as_json)
    else:
        _show(name, revision, settings, as_json)


def _list(as_json: bool) -> None:
    from vistoken.catalogue import models

    if as_json:
        for model in models():
            echo_json(model.as_dict())
        return
    header = ["model", "aliases", "family", "patch", "view rule", "own size", "trust"]
    rows = [
        [model.name, ", ".join(model.aliases) or "-", model.family, model.patch, model.rule,
         model.own_size or "any", model.trust]
        for model in models()
    ]  # fmt: skip
    print_table(header, rows, left=len(header))
    click.echo(
        "\ntrust: verified, the published files were seen; inferred, in part; documented, from the conversion script;"
    )
    click.echo(
        "assumed, as remembered. The rules themselves are all verified: vistoken models NAME shows the evidence."
    )
    click.echo("Any other checkpoint of these families is read from its folder or hub id: vistoken models FOLDER")


def _show(name: str, revision: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    from vistoken import registry

    found = registry.find(name, revision=revision, settings=parse_settings(settings))
    spec = found.spec
    for text in spec.notes:
        note(text)
    if as_json:
        described = {field: typed(getattr(spec, field)) for field in spec.__dataclass_fields__}
        echo_json({**described, "settings": list(found.family.settings)})
        return
    click.echo(f"{spec.name}: {spec.family}\n")
    if spec.encoder:
        click.echo("encoder")
        for field in spec.encoder.__dataclass_fields__:
            click.echo(f"  {field:12} {getattr(spec.encoder, field)}")
    else:
        click.echo("encoder      not described: this model can be counted only")
    click.echo(f"view rule    {spec.rule or 'unknown: there is no preprocessor_config.json'}")
    click.echo(f"pixels       {spec.pixels}")
    if spec.prompt:
        click.echo(f"prompt       {spec.prompt}")
    click.echo(f"trust        rule {spec.trust.rule}\n             settings {spec.trust.settings}")
    click.echo(f"settings     {', '.join(found.family.settings)}\n")
    rows = [[origin.field, _short(origin.value), origin.source] for origin in spec.origins]
    print_table(["value of the files", "is", "from"], rows, left=3)


def typed(value: Any) -> Any:
    """Plain values for JSON; a description becomes an object that names its type: several have the same fields."""
    if is_dataclass(value):
        fields = {name: typed(getattr(value, name)) for name in value.__dataclass_fields__}
        return {"type": type(value).__name__, **fields}
    return [typed(item) for item in value] if isinstance(value, list | tuple) else value


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
