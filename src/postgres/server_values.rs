//! Values of functions and statements whose texts are in the database's encoding.

use super::encoding::{from_server, from_server_c, is_the_same_everywhere, to_server, to_server_c};
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;
use serde_json::Value;
use std::ffi::CStr;

/// A text of the database: an argument or column of a statement, or what a function returns.
pub struct ServerText(pub String);

impl From<String> for ServerText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromDatum for ServerText {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _type: pg_sys::Oid,
    ) -> Option<Self> {
        // SAFETY: a text has the same form as a bytea.
        let bytes = unsafe {
            <&[u8] as FromDatum>::from_polymorphic_datum(datum, is_null, pg_sys::BYTEAOID)
        };
        bytes.map(|bytes| Self(from_server(bytes)))
    }
}

impl IntoDatum for ServerText {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        // A text has the same form as a bytea.
        to_server(&self.0).as_ref().into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTOID
    }

    fn is_compatible_with(other: pg_sys::Oid) -> bool {
        String::is_compatible_with(other)
    }
}

// SAFETY: returns what `into_datum` makes, or null.
unsafe impl BoxRet for ServerText {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: a datum of the function's type.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: in SQL it is what a String is.
unsafe impl SqlTranslatable for ServerText {
    const TYPE_IDENT: &'static str = <String as SqlTranslatable>::TYPE_IDENT;
    const TYPE_ORIGIN: TypeOrigin = <String as SqlTranslatable>::TYPE_ORIGIN;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        <String as SqlTranslatable>::ARGUMENT_SQL;
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = <String as SqlTranslatable>::RETURN_SQL;
}

/// A text that is an argument of a function, as the server has it: one of hundreds of megabytes
/// need not be copied to see its beginning.
pub struct ServerBytes<'a>(&'a [u8]);

impl ServerBytes<'_> {
    /// All of it.
    pub fn whole(&self) -> String {
        from_server(self.0)
    }

    /// The beginning, up to about `most` bytes, cut between characters.
    pub fn beginning(&self, most: usize) -> String {
        let length = self.0.len().min(most);
        let (bytes, limit) = (self.0.as_ptr().cast(), length as i32);
        let whole = self.0.len().min(i32::MAX as usize) as i32;
        // SAFETY: reads as many bytes as there are.
        let cut = unsafe { pg_sys::pg_mbcliplen(bytes, whole, limit) };
        from_server(&self.0[..usize::try_from(cut).unwrap_or(0).min(length)])
    }
}

// SAFETY: the bytes live as long as the call, like those of a `&[u8]`.
unsafe impl<'fcx> ArgAbi<'fcx> for ServerBytes<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: a text has the same form as a bytea.
        Self(unsafe { <&[u8] as ArgAbi>::unbox_arg_unchecked(arg) })
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        match unsafe { <&[u8] as ArgAbi>::unbox_nullable_arg(arg) } {
            Nullable::Valid(bytes) => Nullable::Valid(Self(bytes)),
            Nullable::Null => Nullable::Null,
        }
    }
}

// SAFETY: in SQL it is what a String is.
unsafe impl SqlTranslatable for ServerBytes<'_> {
    const TYPE_IDENT: &'static str = <String as SqlTranslatable>::TYPE_IDENT;
    const TYPE_ORIGIN: TypeOrigin = <String as SqlTranslatable>::TYPE_ORIGIN;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        <String as SqlTranslatable>::ARGUMENT_SQL;
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = <String as SqlTranslatable>::RETURN_SQL;
}

/// A jsonb for the database. Its texts are converted like any other; none of them can be refused.
pub struct ServerJson(pub Value);

impl IntoDatum for ServerJson {
    fn into_datum(mut self) -> Option<pg_sys::Datum> {
        make_storable(&mut self.0);
        let text = to_server_c(&self.0.to_string());
        // SAFETY: a function of PostgreSQL with one argument, which outlives the call.
        unsafe {
            pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())])
        }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

impl FromDatum for ServerJson {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _type: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the function of PostgreSQL that writes a jsonb, which ends it with a zero.
        let text = unsafe {
            let text = pgrx::direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(datum)])?;
            from_server_c(CStr::from_ptr(text.cast_mut_ptr()))
        };
        serde_json::from_str(&text).ok().map(Self)
    }
}

// SAFETY: the datum is a jsonb, which `FromDatum` reads.
unsafe impl<'fcx> ArgAbi<'fcx> for ServerJson {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum() }.unwrap_or(Self(Value::Null))
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum() }.into()
    }
}

// SAFETY: returns what `into_datum` makes, or null.
unsafe impl BoxRet for ServerJson {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: a datum of the function's type.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: in SQL it is what a JsonB is.
unsafe impl SqlTranslatable for ServerJson {
    const TYPE_IDENT: &'static str = <pgrx::JsonB as SqlTranslatable>::TYPE_IDENT;
    const TYPE_ORIGIN: TypeOrigin = <pgrx::JsonB as SqlTranslatable>::TYPE_ORIGIN;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        <pgrx::JsonB as SqlTranslatable>::ARGUMENT_SQL;
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        <pgrx::JsonB as SqlTranslatable>::RETURN_SQL;
}

/// Replaces what the database cannot store in texts, before they are quoted as JSON: jsonb takes
/// no zero character, and a backslash written afterwards would be one of JSON's own.
fn make_storable(value: &mut Value) {
    match value {
        Value::String(text) if !is_the_same_everywhere(text.as_bytes()) => {
            *text = from_server(&to_server(text));
        }
        Value::Array(values) => values.iter_mut().for_each(make_storable),
        Value::Object(fields) => fields.values_mut().for_each(make_storable),
        _ => {}
    }
}
