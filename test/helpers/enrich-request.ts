/** A look-up as it goes over a connection. */
export function enrichRequest(key: string, email: string, headers = ""): string {
  const body = JSON.stringify({ indicator: { type: "email", value: email } });
  return (
    `POST /api/v1/soc/enrich HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nContent-Type: application/json\r\n` +
    `${headers}Content-Length: ${body.length}\r\n\r\n${body}`
  );
}
