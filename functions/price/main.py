"""`price`: stores the ticker in Redis, every minute (contract.md §2.2)."""

import functions_framework
from flask import Request, Response

from common.jobs.price import JOB
from common.runtime import serve


@functions_framework.http
def price(request: Request) -> Response:
    return serve(JOB, request)
