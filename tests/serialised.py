"""Serialises a DAG that is in no DAG file, by the names of the Airflow at hand; 3 makes runs of no other DAGs."""

from __future__ import annotations

from typing import Any

_BUNDLE = "tests"


def serialise(dag: Any) -> None:
    """Write a DAG to the metadata database as Airflow's DAG processor does."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    try:
        from airflow.models.dagbundle import DagBundleModel
    except ImportError:
        with create_session() as session:
            dag.sync_to_db(session=session)
            SerializedDagModel.write_dag(dag, session=session)
        return
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    try:
        from airflow.serialization.definitions.dag import SerializedDAG
        from airflow.serialization.serialized_objects import DagSerialization
    except ImportError:  # before 3.2 one class does both
        from airflow.serialization.serialized_objects import SerializedDAG
        from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization
    with create_session() as session:
        session.merge(DagBundleModel(name=_BUNDLE))
        session.flush()
        SerializedDAG.bulk_write_to_db(_BUNDLE, None, [dag], session=session)
        data = LazyDeserializedDAG(data=DagSerialization.to_dict(dag))
        SerializedDagModel.write_dag(data, bundle_name=_BUNDLE, session=session)
