"""`cost`: cost basis and P&L, every five minutes (contract.md §2.3)."""

import functions_framework
from flask import Request, Response

from common.jobs.cost import JOB
from common.runtime import serve


@functions_framework.http
def cost(request: Request) -> Response:
    return serve(JOB, request)
