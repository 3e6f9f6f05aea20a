"""python -m covaudit: the command line."""

import os
import sys

import typer

from covaudit.commands import app as app_command
from covaudit.commands import (
    demo,
    explain,
    health,
    keep,
    lungs,
    machine,
    maps,
    markers,
    networks,
    papers,
    predict,
    presets,
    protocols,
    runs,
    sanity,
    show,
    sources,
    trash,
)
from covaudit.commands.base import FAILED, build_app, plain
from covaudit.commands.report import report
from covaudit.commands.reproduce import reproduce

app = build_app(
    "CovAudit: is this chest-image classifier reading the disease, or the data set it came from?\n\n"
    "Exit codes: 0 done, 1 the job failed, 2 wrong use. Research use only, not a medical device."
)
app.command("app")(app_command.app)
app.command("demo")(demo.demo)
app.add_typer(sources.app, name="sources")
sources.app.command("scan")(health.scan_sources)
sources.app.command("check")(health.check_sources)
app.add_typer(presets.app, name="presets")
app.add_typer(protocols.app, name="protocols")
app.add_typer(networks.app, name="models")
app.add_typer(papers.app, name="papers")
app.command("run")(runs.run_file)
app.command("runs")(runs.list_runs)
app.command("show")(show.show_run)
app.command("logs")(runs.show_log)
app.command("cancel")(runs.cancel_run)
app.command("retry")(runs.retry_run)
app.command("resume")(runs.resume_run)
app.command("priority", context_settings={"ignore_unknown_options": True})(runs.prioritise_run)  # -5 is no option
app.command("delete")(trash.delete_run)
app.add_typer(trash.app, name="trash")
app.command("reproduce")(reproduce)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("sanity")(sanity.sanity)
app.command("maps")(maps.maps)
app.command("report")(report)
app.command("compare")(show.compare_runs)
app.command("backup")(keep.backup)
app.command("restore")(keep.restore)
app.command("export")(keep.export)
app.command("import")(keep.import_run)
app.add_typer(lungs.app, name="lungs")
app.add_typer(markers.app, name="markers")
app.command("worker")(machine.worker)
app.command("workers")(machine.list_workers)
app.command("doctor")(machine.doctor)


def main() -> None:
    """Run a command; whatever goes wrong is said in a sentence."""
    try:
        app(prog_name="python -m covaudit")
    except Exception as error:
        if os.environ.get("COVAUDIT_DEBUG") == "1":
            raise
        cause = plain(f"{type(error).__name__}: {error}").split("\n")[0][:300]
        typer.echo(f"Something unexpected went wrong ({cause}). Set COVAUDIT_DEBUG=1 to see where.", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
