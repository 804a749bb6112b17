"""`rebalance`: the rebalance leg alone, called by hand (contract.md §2.5)."""

import functions_framework
from flask import Request, Response

from common.jobs.rebalance import JOB
from common.runtime import serve


@functions_framework.http
def rebalance(request: Request) -> Response:
    return serve(JOB, request)
