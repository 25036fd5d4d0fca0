import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];

/** What the gateway answered instead of what was asked for. */
export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

export const client = createClient<paths>({ baseUrl: window.location.origin });

/** Returns the data of an answer, or throws an ApiError. */
export function unwrap<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data !== undefined) {
    return answer.data;
  }
  throw new ApiError(problemOf(answer.error, answer.response));
}

function problemOf(error: unknown, response: Response): Problem {
  if (typeof error === "object" && error !== null && "code" in error && "detail" in error) {
    return error as Problem;
  }
  const title = response.statusText || `status ${response.status}`;
  return { status: response.status, title, detail: `the gateway answered ${title}`, code: "error" };
}

/** The words for an error that may or may not come from the gateway. */
export function wordsOf(error: unknown): string {
  if (error instanceof ApiError) {
    return error.problem.detail;
  }
  return "the gateway does not answer";
}
