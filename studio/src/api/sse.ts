// Server-sent events of a POST, which EventSource cannot send.

/** The data of each event of a stream, in order; comments and other fields are skipped. */
export async function* eventData(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  let lines: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      buffer += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // a lone CR at the end may be the first half of CRLF
      const complete = buffer.split(/\r\n|\n|\r(?!$)/);
      buffer = complete.pop() ?? "";
      for (const line of complete) {
        if (line === "") {
          if (lines.length) yield lines.join("\n");
          lines = [];
        } else if (line.startsWith("data:")) {
          lines.push(line.slice(line.startsWith("data: ") ? 6 : 5));
        }
      }
      if (done) break;
    }
    if (buffer.startsWith("data:")) lines.push(buffer.slice(5).trimStart());
    if (lines.length) yield lines.join("\n");
  } finally {
    reader.releaseLock();
  }
}
