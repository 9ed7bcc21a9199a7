"""Every family of HIS names is described table by table: what each table holds, and a column of each that proves it."""

from __future__ import annotations

import pytest

from config.catalogue import load_catalogue

ALL = load_catalogue()

# family: table as it is written -> a class that it holds (of its own or of a column)
FAMILIES = {
    "pinyin initials": {
        "MS_BRDA": "identity", "MPI_DemographicInfo": "contact", "ZY_BRRY": "clinical", "MS_GHMX": "clinical", "YS_MZ_JZLS": "clinical",
        "MS_BRZD": "clinical", "EMR_BL01": "clinical", "EMR_BL02": "clinical", "EMR_BL03": "clinical", "OMR_BL01": "clinical",
        "MS_CF01": "prescription", "MS_CF02": "prescription", "ZY_BQYZ": "prescription", "V_LIS_TESTRESULT": "lab", "YJ_ZY01": "lab", "MS_YJ02": "lab",
        "PACS_BGJG": "image", "ZY_FYMX": "billing", "MS_MZXX": "billing", "ZY_TBKK": "billing", "YK_TYPK": "drug", "YK_KCMX": "procurement",
        "YK_CK01": "drug", "YK_JH01": "procurement", "WL_JH01": "procurement", "WL_GHDW": "procurement", "GY_YGDM": "credential",
        "SYS_Personnel": "staff", "GY_YPCDJG": "drug", "IDR_Report": "public_health",
    },
    "its variants": {
        "zj_bl_brbl": "clinical", "ZJ_BL_ZD": "clinical", "mz_cfk1": "prescription", "mz_cfk2": "prescription", "ts_mz_brxx": "identity",
        "MZ_BRXX_KXX": "identity", "MzGhxx": "clinical", "HIS_MZ_BRXX": "identity", "HIS_MZ_GHXX": "clinical", "bsrun.it_MS_BRDA": "identity",
    },
    "Jun-wei No. 1": {
        "MEDREC.PAT_MASTER_INDEX": "contact", "PAT_VISIT": "special", "PATS_IN_HOSPITAL": "clinical", "CLINIC_MASTER": "identity",
        "EMR_DIAGNOSIS": "clinical", "MR_INDEX": "clinical", "MR_ON_LINE": "clinical", "OUTP_MR": "clinical", "COURSE_RECORD": "clinical",
        "COURSE_RECORD_SUPERIORDOCRECOR": "clinical", "ORDADM.ORDERS": "prescription", "OUTP_ORDERS": "prescription", "OUTP_PRESC": "prescription",
        "DRUG_PRESC_MASTER": "prescription", "DRUG_PRESC_DETAIL": "prescription", "DOCT_DRUG_PRESC_MASTER": "prescription",
        "DOCT_DRUG_PRESC_DETAIL": "prescription", "LAB_TEST_MASTER": "lab", "LAB_TEST_ITEMS": "lab", "LAB_RESULT": "lab", "EXAM_MASTER": "image",
        "EXAM_ITEMS": "image", "VITAL_SIGNS_REC": "clinical", "OUTP_BILL_ITEMS": "billing", "OUTP_RCPT_MASTER": "billing", "INP_BILL_DETAIL": "billing",
        "INP_SETTLE_MASTER": "billing", "PREPAYMENT_RCPT": "billing", "DRUG_DICT": "drug", "DRUG_STOCK": "procurement", "DRUG_PRICE_LIST": "drug",
        "DRUG_SUPPLIER_CATALOG": "procurement", "DRUG_BUY_PLAN": "procurement", "PHARMACY.DRUG_DISPENSE_REC": "prescription",
        "STAFF_DICT": "credential", "PERSION_INFO": "staff",
    },
    "cloud HIS": {
        "outpt_visit": "contact", "inpt_visit": "identity", "base_profile_file": "identity", "base_card": "credential", "outpt_register": "clinical",
        "outpt_diagnose": "clinical", "inpt_diagnose": "clinical", "emr_patient_record": "clinical", "mris_base_info": "clinical",
        "outpt_prescribe": "prescription", "outpt_prescribe_detail": "prescription", "inpt_advice": "prescription", "inpt_advice_detail": "prescription",
        "lis_result": "lab", "pacs_inspect_result": "image", "medic_apply": "lab", "outpt_cost": "billing", "inpt_cost": "billing",
        "outpt_settle": "billing", "inpt_settle": "billing", "insure_individual_settle": "billing", "base_drug": "drug", "stro_stock": "drug",
        "stro_purchase": "procurement", "stro_in": "procurement", "stro_out": "procurement", "base_supplier": "procurement",
        "sys_user": "credential", "sys_role_menu": "staff", "sys_log_info_cz": "audit",
    },
    "Chinese names": {
        "系统_病人基本信息表": "identity", "病人基本信息表": "contact", "INQ_VD住院费用明细_处方明细": "prescription", "INQ_VD住院费用明细_发票": "billing",
        "就诊记录": "clinical", "医嘱": "prescription", "检验结果": "lab", "检查报告": "image", "药品字典": "drug", "职工信息": "credential",
    },
    "InterSystems": {
        "SQLUser.PA_PatMas": "identity", "PA_Person": "contact", "PA_Adm": "clinical", "MR_Diagnos": "clinical", "OE_Order": "prescription",
        "OE_OrdItem": "prescription", "EP_VisitTest": "lab", "DHC_PatientBill": "billing", "ARC_ItmMast": "drug", "CT_CareProv": "staff",
        "SS_User": "credential",
    },
    "operating room": {
        "MED_PAT_MASTER_INDEX": "identity", "WIS_PAT_MASTER_INDEX": "contact", "MED_PAT_VISIT": "clinical", "WIS_PAT_IN_HOS": "clinical",
        "MED_OPERATION_MASTER": "clinical", "WIS_OPER_MASTER": "clinical", "MED_ANESTHESIA_PLAN": "clinical", "MED_ANESTHESIA_EVENT": "prescription",
    },
    "OpenMRS": {
        "openmrs.person": "identity", "person_name": "identity", "person_address": "contact", "openmrs.patient": "identity", "patient_identifier": "identity",
        "openmrs.visit": "clinical", "openmrs.encounter": "clinical", "openmrs.obs": "lab", "openmrs.conditions": "clinical", "encounter_diagnosis": "clinical",
        "openmrs.allergy": "clinical", "openmrs.note": "clinical", "openmrs.orders": "prescription", "drug_order": "prescription",
        "medication_dispense": "prescription", "test_order": "lab", "openmrs.drug": "drug", "openmrs.users": "credential", "openmrs.user_property": "staff",
        "openmrs.provider": "staff", "role_privilege": "staff",
    },
    "OpenEMR": {
        "patient_data": "contact", "insurance_data": "identity", "form_encounter": "clinical", "openemr.lists": "clinical", "form_soap": "clinical",
        "pnotes": "clinical", "openemr.prescriptions": "prescription", "drug_sales": "prescription", "procedure_result": "lab", "openemr.billing": "billing",
        "openemr.claims": "billing", "openemr.drugs": "drug", "drug_inventory": "procurement", "openemr.users": "credential", "users_secure": "credential",
        "openemr.log": "audit",
    },
    "MIMIC": {
        "mimiciv_hosp.patients": "identity", "mimiciv_hosp.admissions": "clinical", "mimiciv_hosp.transfers": "clinical", "icustays": "clinical",
        "diagnoses_icd": "clinical", "procedures_icd": "clinical", "drgcodes": "clinical", "mimiciv_hosp.prescriptions": "prescription", "poe": "prescription",
        "mimiciv_hosp.pharmacy": "prescription", "emar": "prescription", "labevents": "lab", "microbiologyevents": "lab", "chartevents": "clinical",
        "hcpcsevents": "billing", "mimiciv_hosp.provider": "staff", "mimiciv_icu.caregiver": "staff",
    },
    "FHIR": {
        "fhir.Patient": "contact", "RelatedPerson": "contact", "fhir.Encounter": "clinical", "EpisodeOfCare": "clinical", "fhir.Condition": "clinical",
        "DocumentReference": "clinical", "MedicationRequest": "prescription", "ServiceRequest": "clinical", "fhir.Observation": "lab",
        "DiagnosticReport": "lab", "ImagingStudy": "image", "fhir.Claim": "billing", "fhir.Account": "billing", "fhir.Medication": "drug",
        "SupplyRequest": "procurement", "Practitioner": "staff", "PractitionerRole": "staff", "hfj_res_ver": "clinical",
    },
}  # fmt: skip
NAMED = [(family, table, holds) for family, tables in FAMILIES.items() for table, holds in tables.items()]


@pytest.mark.parametrize(("family", "table", "holds"), NAMED, ids=[f"{family}: {table}" for family, table, _ in NAMED])
def test_a_pack_describes_the_table(family: str, table: str, holds: str) -> None:
    found = ALL.table(table)
    assert found is not None
    assert not found.guessed
    assert holds in found.classes


@pytest.mark.parametrize(
    ("table", "column", "role"),
    [
        ("PA_PatMas", "PAPMI_No", "patient_key"), ("OE_OrdItem", "OEORI_Doctor_DR", "prescriber"), ("OE_OrdItem", "OEORI_ItmMast_DR", "drug"),
        ("openemr.prescriptions", "provider_id", "prescriber"), ("openemr.prescriptions", "quantity", "quantity"), ("patient_data", "pid", "patient_key"),
        ("openmrs.orders", "orderer", "prescriber"), ("drug_order", "drug_inventory_id", "drug"), ("mimiciv_hosp.prescriptions", "drug", "drug"),
        ("mimiciv_hosp.prescriptions", "subject_id", "patient_key"), ("labevents", "hadm_id", "visit_key"), ("MED_ANESTHESIA_EVENT", "dosage", "quantity"),
    ],
)  # fmt: skip
def test_the_roles_that_statistics_are_recognised_by(table: str, column: str, role: str) -> None:
    assert role in ALL.column(ALL.table(table), column).roles


@pytest.mark.parametrize(
    "word",
    ["users", "log", "lists", "note", "provider", "account", "drug", "services", "documents", "payments", "visit"],
)
def test_a_plain_word_is_nobodys_table_without_its_schema(word: str) -> None:
    assert ALL.table(word) is None
    assert ALL.table(f"erp.{word}") is None


def test_tables_of_one_name_stay_those_of_the_hospital_that_has_no_research_database() -> None:
    plain = ALL.table("prescriptions")
    assert plain is not None
    assert "subject_id" not in plain.columns
    assert "doctor_id" in plain.columns
