//! Endpoints: what each route answers.
