"""The entry: flags become settings, settings start the page, list the models, or serve the endpoint.

Heavy imports happen inside the commands, so that `--help` and `models` stay quick.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from app import logs
from app.settings import Settings, parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit status."""
    settings = parse(sys.argv[1:] if arguments is None else arguments)
    logs.configure()
    match settings.command:
        case "serve":
            return _serve(settings)
        case "chat":
            from app.cli import chat

            logging.getLogger().setLevel(logging.WARNING)
            return chat(settings)
        case "experiment":
            from app.cli_experiment import experiment

            logging.getLogger().setLevel(logging.ERROR)
            return experiment(settings)
        case "models":
            return _models(settings)
        case "endpoint":
            return _endpoint(settings)


def _serve(settings: Settings) -> int:
    from app.serve import serve

    return serve(settings)


def _endpoint(settings: Settings) -> int:
    from providers.local.launch import serve

    def told(url: str) -> None:
        sys.stdout.write(
            f"Bedrock-compatible endpoint for any boto3 program: {url}\n"
            "boto3 signs with any keys; none are checked:\n"
            "export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-west-2\n"
            f"export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={url}\n"
        )
        sys.stdout.flush()

    try:
        serve(settings.port, on_start=told)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on port {settings.port}: {error.strerror}. Choose another with --port.\n")
        return 1
    return 0


def _models(settings: Settings) -> int:
    from providers.connect import Backends
    from providers.errors import ConfigurationError

    try:
        backends = Backends(
            settings.backend, region=settings.region, profile=settings.profile, endpoint_url=settings.endpoint_url
        )
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    backends.wait_for_models()
    models = backends.models()
    if settings.as_json:
        listed = [asdict(model) for model in models]
        json.dump({"models": listed, "default": backends.default_model()}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        width = max(len(model.id) for model in models)
        for model in models:
            sys.stdout.write(f"{model.id:<{width}}  {model.backend:<5}  {model.label}\n")
    return 0


def _for_a_shell() -> int:
    """`main`, ending quietly on Ctrl-C, and where whoever read the output has gone (`… | head`)."""
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130  # before there was anything to end in order
    except BrokenPipeError:
        # Python would try to write the rest once more when it closes the stream, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(_for_a_shell())
