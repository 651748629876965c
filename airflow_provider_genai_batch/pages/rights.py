"""Permissions, as Airflow's auth manager decides them, and a seal that protects forms against other sites."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from typing import Annotated, Any
from urllib.parse import parse_qs

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.connection import Connection
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

ReadsTask = Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.XCOM))
"""Admits only users who may read the task's XComs."""
ChangesTask = Depends(requires_access_dag(method="PUT", access_entity=DagAccessEntity.TASK_INSTANCE))
"""Admits only users who may clear the task or set its state."""
_COOKIE = "_token"
"""The cookie in which Airflow's login page stores the user's token."""
_LONGEST_FORM = 64 * 1024


def readable(user: Any, dags: Collection[str]) -> set[str]:
    """Return those of the DAGs whose XComs a user may read, because manifests are XComs."""
    manager = get_auth_manager()
    return {
        dag_id
        for dag_id, details in _details(dags).items()
        if manager.is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.XCOM, details=details, user=user
        )
    }


def own_dags(user: Any) -> set[str]:
    """Return the DAGs that a user may read."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


def may_change(user: Any, dag_id: str) -> bool:
    """Return whether a user may clear tasks of a DAG."""
    return get_auth_manager().is_authorized_dag(
        method="PUT",
        access_entity=DagAccessEntity.TASK_INSTANCE,
        details=_details([dag_id])[dag_id],
        user=user,
    )


def may_use(user: Any, conn_id: str) -> bool:
    """Return whether a user may read a connection; its service's list shows the jobs of everybody who uses it."""
    team_of = getattr(Connection, "get_team_name", None)  # the first Airflow with pages has no teams
    team = {} if team_of is None else {"team_name": team_of(conn_id)}
    details = ConnectionDetails(conn_id=conn_id, **team)
    return get_auth_manager().is_authorized_connection(method="GET", details=details, user=user)


def _details(dags: Collection[str]) -> dict[str, DagDetails]:
    """Return what Airflow's own checks tell the auth manager of DAGs: their ids, and the teams that own them."""
    of_all = getattr(DagModel, "get_dag_id_to_team_name_mapping", None)  # since 3.2
    of_one = getattr(DagModel, "get_team_name", None)
    if of_all is not None:
        teams = of_all([*dags])
    else:
        teams = {} if of_one is None else {dag_id: of_one(dag_id) for dag_id in dags}
    return {
        dag_id: DagDetails(id=dag_id, **({"team_name": teams[dag_id]} if dag_id in teams else {}))
        for dag_id in dags
    }


def seal(request: Request, about: Collection[Any]) -> str:
    """Return the seal of a form that requests an action.

    The seal is computed from the user's own token. A page of another origin cannot read the token, so it cannot compute
    the seal, although the browser would send the cookie with its request.

    Args:
        request: the user's request.
        about: the action that the form requests.

    Raises:
        HTTPException: 403, if the request has no token.
    """
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    # By the same rule as Airflow's, which takes the user from the cookie if the header has another scheme.
    token = bearer if bearer and scheme.lower() == "bearer" else request.cookies.get(_COOKIE, "")
    if not token:
        raise HTTPException(403, "This action needs a token of Airflow's own.")
    text = "\0".join(map(str, about))
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_sealed(request: Request, about: Collection[Any], given: str) -> bool:
    """Return whether one of our pages made a form, for this user and this action."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    return hmac.compare_digest(seal(request, about).encode(), given.encode())


async def _sent_form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise HTTPException(413, "The form is too long.")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


Form = Annotated[dict[str, str], Depends(_sent_form)]
"""The fields of a submitted form."""
__all__ = [
    "ChangesTask",
    "Form",
    "GetUserDep",
    "ReadsTask",
    "is_sealed",
    "may_change",
    "may_use",
    "own_dags",
    "readable",
    "seal",
]
