//! `/api/database/…`: how large the database is and how it is made. What is in it is told by the
//! other routes; free queries are not answered (docs/DECISIONS.md).

use std::rc::Rc;

use nanoserde::SerJson;

use super::error_because;
use crate::api::json::Text;
use crate::calendar::text::utc_day;
use crate::connections::database::overview::{Object, Overview};
use crate::http::response::{Answer, Status};
use crate::http::route::Table;

/// What was read for an answer.
pub enum Found {
    /// For [`Table::Info`].
    Overview(Overview),
    /// For the others.
    Objects(Vec<Object>),
}

/// `POST /api/database/query`.
pub fn refused() -> Rc<Answer> {
    let message = "free queries are not answered here; the other routes tell what is stored";
    error_because(Status::FORBIDDEN, "Query not allowed", message, &[])
}

/// The answer.
pub fn answer(asked: Table, found: &Found) -> String {
    match found {
        Found::Overview(overview) => info(overview),
        Found::Objects(objects) => rows(asked, objects),
    }
}

fn info(overview: &Overview) -> String {
    let day =
        |(day, count): &(i64, i64)| DayShape { event_date: utc_day(*day).into(), count: *count };
    let data = InfoShape {
        file_size_bytes: overview.bytes,
        events_by_date: overview.days.iter().map(day).collect(),
        user_version: overview.version,
        journal_mode: overview.journal_mode.as_str().into(),
    };
    DataShape { success: true, data }.serialize_json()
}

fn rows(asked: Table, objects: &[Object]) -> String {
    let count = objects.len();
    if asked == Table::Tables {
        let name = |object: &'_ Object| NameShape { name: object.name.clone().into() };
        let rows = objects.iter().map(name).collect();
        let data = RowsShape { rows, count, columns: vec!["name".into()] };
        return DataShape { success: true, data }.serialize_json();
    }
    let object = |object: &Object| ObjectShape {
        kind: object.kind.clone().into(),
        name: object.name.clone().into(),
        sql: object.sql.clone().into(),
    };
    let rows = objects.iter().map(object).collect();
    let columns = ["type", "name", "sql"].map(Text::from).into();
    DataShape { success: true, data: RowsShape { rows, count, columns } }.serialize_json()
}

#[derive(SerJson)]
struct DataShape<T: SerJson> {
    success: bool,
    data: T,
}

#[derive(SerJson)]
struct InfoShape<'a> {
    file_size_bytes: i64,
    events_by_date: Vec<DayShape>,
    user_version: i64,
    journal_mode: Text<'a>,
}

#[derive(SerJson)]
struct DayShape {
    event_date: Text<'static>,
    count: i64,
}

#[derive(SerJson)]
struct RowsShape<T: SerJson> {
    rows: Vec<T>,
    count: usize,
    columns: Vec<Text<'static>>,
}

#[derive(SerJson)]
struct NameShape {
    name: Text<'static>,
}

#[derive(SerJson)]
struct ObjectShape {
    #[nserde(rename = "type")]
    kind: Text<'static>,
    name: Text<'static>,
    sql: Text<'static>,
}
