"""`vistoken models`."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

import click

from vistoken.cli.shared import echo_json, note, parse_settings, print_table
from vistoken.errors import UsageError

LEGEND = """\
trust is the lower of two labels, for the rule and for the settings: verified, compared with the library or read in the
published files; documented by the vendor or in a conversion script; measured by third parties; inferred; assumed, as
remembered. `vistoken models NAME` shows the evidence. Any other checkpoint of these families is read from its folder
or hub id: `vistoken models FOLDER`."""


@click.command(
    "models",
    short_help="What is built in, or what a name or folder means.",
    epilog="""\b
Examples:
  vistoken models
  vistoken models --match qwen
  vistoken models clip-l14-336
  vistoken models ./my-checkpoint
  vistoken models --json
  vistoken models --types
  vistoken models --verify llava-1.5-7b idefics3
  vistoken models ./my-checkpoint --check""",
)
@click.argument("names", nargs=-1, metavar="[NAME|FOLDER]")
@click.option("--verify", is_flag=True, help="Compare with the installed transformers: the models named, or all.")
@click.option(
    "--check", is_flag=True, help="Load its weights, and compare with transformers on a picture, layer by layer."
)
@click.option("--image", metavar="FILE", help="The picture for --check.  [default: a synthetic one]")
@click.option("--sizes", type=click.IntRange(1), default=300, show_default=True, help="Sizes to verify on, a setting.")
@click.option("--pixels", is_flag=True, help="Let the reference compute its pixels too, a hundred times slower.")
@click.option("--match", metavar="TEXT", help="List only models whose name, alias or family holds TEXT.")
@click.option("--types", is_flag=True, help="List what is read from folders: model types, timm's architectures.")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of a hub repository.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a value of the model's preprocessor.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
def command(
    names: tuple[str, ...],
    verify: bool,
    check: bool,
    image: str | None,
    sizes: int,
    pixels: bool,
    match: str | None,
    types: bool,
    revision: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> int:
    """List the built-in models; or show what a name or a folder means, with the source of every value."""
    if check or image:
        if not check or settings or verify or types or match is not None:
            raise UsageError("--check stands alone, but for --image, --revision and --json; and --image needs --check")
        from vistoken.cli.check import check_models

        return check_models(names, revision, image, as_json)
    if (settings or revision) and (verify or types or not names):
        raise UsageError("--set and --revision need a NAME or FOLDER to show")
    if types and (verify or names):
        raise UsageError("--types lists all of them: leave out names and --verify")
    if match is not None and (names or types or verify):
        raise UsageError("--match filters the list of all models: leave out names, --types and --verify")
    if verify:
        from vistoken.cli.verify import verify_models

        return verify_models(names, sizes, pixels, as_json)
    if types:
        _types(as_json)
    elif not names:
        _list(match or "", as_json)
    for name in () if types else names:
        _show(name, revision, settings, as_json)
    return 0


def _list(match: str, as_json: bool) -> None:
    from vistoken.catalogue import models

    text = match.lower()
    chosen = [model for model in models() if text in " ".join((model.name, *model.aliases, model.family)).lower()]
    if not chosen:
        raise UsageError(f"no built-in model's name, alias or family holds {match!r}: `vistoken models` lists them all")
    if as_json:
        for model in chosen:
            echo_json(model.as_dict())
        return
    header = ["model", "aliases", "family", "patch", "view rule", "own size", "trust"]
    rows = [
        [model.name, ", ".join(model.aliases) or "-", model.family, model.patch, model.rule,
         model.own_size or "any", model.trust]
        for model in chosen
    ]  # fmt: skip
    print_table(header, rows, left=len(header))
    click.echo(f"\n{LEGEND}")


def _types(as_json: bool) -> None:
    """Which model types and architectures of timm are read, by which family, and which types not, with the reason."""
    from vistoken import registry
    from vistoken.unread import UNREAD

    families = list(registry.families())
    read = sorted((word, family.name) for family in families for word in family.model_types)
    timms = sorted((word, family.name) for family in families if family.timm for word in family.timm.architectures)
    if as_json:
        for kind, words in (("model_type", read), ("architecture", timms)):
            for word, name in words:
                echo_json({kind: word, "family": name})
        return
    print_table(["model_type", "family"], [[word, name] for word, name in read], left=2)
    click.echo()
    print_table(["architecture (timm)", "family"], [[word, name] for word, name in timms], left=2)
    click.echo(f"\n{len(read)} model types, {len(timms)} architectures.")
    click.echo("Of transformers' types for images and text, these are not read:")
    for word, reason in UNREAD.items():
        click.echo(f"  {word}: {reason}")


def _show(name: str, revision: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    from vistoken import registry

    found = registry.find(name, revision=revision, settings=parse_settings(settings))
    spec = found.spec
    for text in spec.notes:
        note(text)
    if as_json:
        named = {"tower": "encoder", "film": "video", "reads": "origins"}
        fields = [named.get(field, field) for field in spec.__dataclass_fields__]
        described = {field: typed(getattr(spec, field)) for field in fields}
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
    if spec.video:
        click.echo(f"video        {spec.video.rule}\n             {spec.video.prompt}")
        click.echo(f"frames       {spec.video.sampling or 'chosen by the caller: --frames'}")
    for crowd in spec.crowds:
        click.echo(f"crowd        above {crowd.above} pictures in a prompt: {crowd.rule}; {crowd.prompt}")
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
