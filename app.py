"""The web app: reads the settings, builds the page, launches it; the entry of a Space."""

from __future__ import annotations

import os
import sys
from functools import partial

from agent.settings import read_settings
from audit.records.errors import UserError


def main() -> None:
    """Serve on 127.0.0.1:7860, or GRADIO_SERVER_PORT; on every address inside a Space.

    Raises:
        UserError: a setting is at fault, or the data folder cannot be written.
    """
    settings = read_settings(os.environ)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("GRADIO_TEMP_DIR", str(settings.data_dir / "page"))
    from agent.jobs import Jobs
    from ui.app import build_app, launch
    from ui.visitor import visitor_of

    jobs = Jobs(settings, partial(visitor_of, settings))
    try:
        demo = build_app(settings, jobs)
        url = launch(demo, settings)
        print(f"GPU Goblin on {url}", flush=True)
        demo.block_thread()
    finally:
        jobs.close()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"goblin: {error}")
