// Server-sent events of a fetch: EventSource can neither POST nor be cancelled with a request.

/** Each event of the body as {event, data}, as it comes. */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = parse(block);
      if (event.data) yield event;
    }
  }
}

function parse(block) {
  const found = { event: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "event") found.event = value;
    if (name === "data") found.data += (found.data && "\n") + value;
  }
  return found;
}
