// Requests to the server that sent this page, and to no other. Errors are in the server's own words.

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly param: string | null = null,
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }
}

const STORED_KEY = "deixis-api-key";

/** The API key that a server beyond this machine asks for; forgotten with the tab. */
export function setApiKey(key: string): void {
  sessionStorage.setItem(STORED_KEY, key);
}

/** The response of the server. Raises ApiError with its sentence for any status that is no success. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const key = sessionStorage.getItem(STORED_KEY);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let response: Response;
  try {
    // relative to the page, which may lie below a path
    response = await fetch(new URL(path, document.baseURI), { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError("the server does not answer; is it still running?", 0);
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

export async function getJson<T>(path: string): Promise<T> {
  return (await request(path)).json() as Promise<T>;
}

async function errorOf(response: Response): Promise<ApiError> {
  const retry = Number(response.headers.get("Retry-After")) || null;
  try {
    const { error } = (await response.json()) as { error: { message: string; param: string | null } };
    return new ApiError(error.message, response.status, error.param, retry);
  } catch {
    return new ApiError(`the server answered with status ${response.status}`, response.status, null, retry);
  }
}
