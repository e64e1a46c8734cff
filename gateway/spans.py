"""The evidence of the gateway's answers, said of the span that is open."""

from opentelemetry import trace

from .requests import GenerateResult, StageCall


def tell(call: StageCall) -> None:
    """What a stage took, with the names that it has in an answer's JSON."""
    span = trace.get_current_span()
    if span.is_recording():
        known = {name: value for name, value in vars(call).items() if value is not None}
        span.set_attributes({f"triptych.{name}": value for name, value in known.items()})


def tell_of(result: GenerateResult) -> None:
    """What was made. Nothing of what was asked for: neither words nor pictures."""
    span = trace.get_current_span()
    if span.is_recording():
        width, height = result.size
        span.set_attributes(
            {
                "triptych.images": len(result.pictures),
                "triptych.steps": result.steps,
                "triptych.width": width,
                "triptych.height": height,
                "triptych.seconds": result.seconds,
            }
        )
