locals {
  # One chart a row: title, and its lines as legend => PromQL.
  charts = [
    { title = "Runs, by job and status", lines = { "{{task}} {{status}}" = "sum by (task, status) (increase(${local.promql["job_runs"]}{${local.of_functions}}[15m]))" } },
    { title = "15-min-job: share of runs that succeeded, last 6 hours", lines = {
      "success" = "sum(increase(${local.promql["15min_job_success_rate"]}{${local.of_functions},status=\"success\"}[6h])) / sum(increase(${local.promql["15min_job_success_rate"]}{${local.of_functions}}[6h]))"
    } },
    { title = "15-min-job: duration (ms)", lines = {
      "half of the runs below" = "histogram_quantile(0.5, sum by (le) (increase(${local.promql["15min_job_execution_time"]}_bucket{${local.of_functions}}[1h])))"
      "95 % of the runs below" = "histogram_quantile(0.95, sum by (le) (increase(${local.promql["15min_job_execution_time"]}_bucket{${local.of_functions}}[1h])))"
    } },
    { title = "15-min-job: failures", lines = { "{{status}} {{error_code}}" = "sum by (status, error_code) (increase(${local.promql["15min_job_failures"]}{${local.of_functions}}[1h]))" } },
    { title = "Plans, by action", lines = { "{{action}}" = "sum by (action) (increase(${local.promql["15min_job_rebalance_action"]}{${local.of_functions}}[1h]))" } },
    { title = "Notional of plans that trade (USDT, median of the day)", lines = {
      "{{action}}" = "histogram_quantile(0.5, sum by (le, action) (increase(${local.promql["15min_job_rebalance_notional"]}_bucket{${local.of_functions}}[24h])))"
    } },
    { title = "Callers refused", lines = { "{{task}} {{reason}}" = "sum by (task, reason) (increase(${local.promql["shared_auth_failures"]}{${local.of_functions}}[1h]))" } },
    { title = "Redis: memory used, of what there is", lines = {
      "data"   = "redis_googleapis_com:stats_memory_usage_ratio{monitored_resource=\"redis_instance\",instance_id=\"${var.foundation.redis.id}\"}"
      "system" = "redis_googleapis_com:stats_memory_system_memory_usage_ratio{monitored_resource=\"redis_instance\",instance_id=\"${var.foundation.redis.id}\"}"
    } },
  ]

  # Two in a row. The service leaves zeros out of what it gives back, and a plan would never be empty were they in here.
  places = [for index in range(length(local.charts)) : {
    for axis, value in { xPos = (index % 2) * 6, yPos = floor(index / 2) * 4 } : axis => value if value > 0
  }]
}

resource "google_monitoring_dashboard" "bot" {
  dashboard_json = jsonencode({
    displayName = local.title
    mosaicLayout = {
      columns = 12
      tiles = concat(
        [for index, chart in local.charts : merge(local.places[index], {
          width  = 6
          height = 4
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [for legend, query in chart.lines : {
                plotType        = "LINE"
                legendTemplate  = legend
                timeSeriesQuery = { prometheusQuery = query }
              }]
            }
          }
        })],
        [{
          yPos   = ceil(length(local.charts) / 2) * 4
          width  = 12
          height = 4
          widget = {
            title     = "Runs that did not succeed"
            logsPanel = { filter = "${local.finished}\nNOT jsonPayload.status=\"success\"", resourceNames = ["projects/${var.project_id}"] }
          }
        }],
      )
    }
  })

  depends_on = [google_logging_metric.bot]
}
