"""`fifteen_min_job`: cost, then the rebalance, every fifteen minutes (contract.md §2.4)."""

import functions_framework
from flask import Request, Response

from common.jobs.fifteen_min_job import JOB
from common.runtime import serve


@functions_framework.http
def fifteen_min_job(request: Request) -> Response:
    return serve(JOB, request)
