"""`ops`: the operator endpoint (contract.md §2.6). Not scheduled."""

import functions_framework
from flask import Request, Response

from common.runtime import serve_ops


@functions_framework.http
def ops(request: Request) -> Response:
    return serve_ops(request)
