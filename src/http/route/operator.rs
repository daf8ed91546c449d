//! What operators and watchdogs ask for, and the files that are part of the program.

use super::table::{allowed, routes};
use super::{Admin, Endpoint, Figures, Refusal, nothing};
use crate::display;

routes! { (path, query)
    "/stats" | "/api/stats": Get => Endpoint::Figures(Figures::Stats);
    "/metrics": Get => Endpoint::Metrics;
    "/api/v1/history": Get => Endpoint::Figures(Figures::History);
    "/dashboard": Get => file(path)?;
    "/healthz": Get => Endpoint::Figures(Figures::Alive);
    "/readyz": Get => Endpoint::Figures(Figures::Ready);
    "/api/admin/config" | "/api/admin/phase2a/config":
        Get => Endpoint::Admin(Admin::Config), Put => Endpoint::Admin(Admin::PutConfig);
    "/api/admin/flags" | "/api/admin/phase2a/flags":
        Get => Endpoint::Admin(Admin::Flags), Post => Endpoint::Admin(Admin::TurnFlag);
    "/api/admin/rollout" | "/api/admin/phase2a/rollout":
        Get => Endpoint::Admin(Admin::Rollout), Post => Endpoint::Admin(Admin::TurnRollout);
    "/api/admin/emergency-disable" | "/api/admin/phase2a/emergency-disable":
        Post => Endpoint::Admin(Admin::EmergencyDisable);
    "/api/admin/validate" | "/api/admin/phase2a/validate":
        Post => Endpoint::Admin(Admin::Validate);
    "/static/{file}": Get => file(path)?;
}

pub(super) fn file(path: &str) -> Result<Endpoint, Refusal> {
    display::asset(path).map(|asset| Endpoint::Asset(asset.path)).ok_or_else(nothing)
}
