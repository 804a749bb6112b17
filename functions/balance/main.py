"""`balance`: stores the account in Redis, every three minutes (contract.md §2.1)."""

import functions_framework
from flask import Request, Response

from common.jobs.balance import JOB
from common.runtime import serve


@functions_framework.http
def balance(request: Request) -> Response:
    return serve(JOB, request)
