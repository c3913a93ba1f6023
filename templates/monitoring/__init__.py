"""Files for monitoring: a Grafana dashboard and Prometheus alerts, read by `cloudserve metrics`.

`dashboard.json` is written by `tools/write_dashboard.py`; `alerts.yml` is edited here.
"""
